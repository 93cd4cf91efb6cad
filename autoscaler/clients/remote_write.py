"""Remote write 1.0 as it comes over the wire: series with their samples, as protobuf within snappy.

Labels stay as the bytes they came as: a receiver knows most series by them, and only new ones are taken apart. The
messages are described here and not generated: there are four of them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import cramjam
import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from autoscaler.errors import SourceError

MOST_BYTES = 16 * 1024 * 1024  # of a request once it is unpacked
STALE = 0x7FF0000000000002  # the NaN that says that a series has ended

_FIELD = descriptor_pb2.FieldDescriptorProto
_ONE, _MANY = _FIELD.LABEL_OPTIONAL, _FIELD.LABEL_REPEATED

# Message → its fields: name, number, how many, type, the message it is of. A label is left as bytes within a series.
_MESSAGES = {
    "Label": (("name", 1, _ONE, _FIELD.TYPE_STRING, ""), ("value", 2, _ONE, _FIELD.TYPE_STRING, "")),
    "Sample": (("value", 1, _ONE, _FIELD.TYPE_DOUBLE, ""), ("timestamp", 2, _ONE, _FIELD.TYPE_INT64, "")),
    "TimeSeries": (
        ("labels", 1, _MANY, _FIELD.TYPE_BYTES, ""),
        ("samples", 2, _MANY, _FIELD.TYPE_MESSAGE, ".autoscaler.Sample"),
    ),
    "WriteRequest": (("timeseries", 1, _MANY, _FIELD.TYPE_MESSAGE, ".autoscaler.TimeSeries"),),
}

Labels = tuple[bytes, ...]


class Sent(msgspec.Struct, frozen=True, gc=False):
    """One series of a request: its labels as they came, and its samples as (seconds since the epoch, value)."""

    labels: Labels
    samples: tuple[tuple[float, float], ...]


def unpacked(body: bytes) -> list[Sent]:
    """The series in a request's body. Raises SourceError for what is not remote write, or too large."""
    try:
        size = cramjam.snappy.decompress_raw_len(body)
        if size > MOST_BYTES:
            raise SourceError(f"unpacked it would be larger than {MOST_BYTES >> 20} MiB")
        request = _write_request()
        request.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
    except (cramjam.DecompressionError, ValueError, OverflowError):
        raise SourceError("the body is not in snappy's block format") from None
    except DecodeError:
        raise SourceError("the body is no WriteRequest of remote write 1.0") from None
    return [
        Sent(tuple(each.labels), tuple((sample.timestamp / 1000, sample.value) for sample in each.samples))
        for each in request.timeseries
    ]


def packed(series: Sequence[tuple[dict[str, str], Sequence[tuple[float, float]]]]) -> bytes:
    """The other way round: a request's body with these series; times in seconds."""
    request = _write_request()
    for labels, samples in series:
        made = request.timeseries.add()
        made.labels.extend(_label(name=name, value=labels[name]).SerializeToString() for name in sorted(labels))
        for at, value in samples:
            made.samples.add(timestamp=round(at * 1000), value=value)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def named(labels: Labels) -> dict[str, str]:
    """The labels by their names. Raises SourceError where they are no labels of a series."""
    found: dict[str, str] = {}
    for each in labels:
        label = _label()
        try:
            label.ParseFromString(each)
        except DecodeError:
            raise SourceError("a label that cannot be read") from None
        if not label.name or label.name in found:
            raise SourceError(f"a label without a name, or twice: {label.name}")
        found[label.name] = label.value
    if not found.get("__name__"):
        raise SourceError("a series without a name")
    return found


def ended(value: float) -> bool:
    """True for the value that is no value but the end of a series."""
    return value != value and struct.unpack("<Q", struct.pack("<d", value))[0] == STALE


def _described() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="remote_write.proto", package="autoscaler", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, label, kind, of in fields:
            message.field.add(name=field, number=number, label=label, type=kind, type_name=of or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


_pool = _described()
_write_request = message_factory.GetMessageClass(_pool.FindMessageTypeByName("autoscaler.WriteRequest"))
_label = message_factory.GetMessageClass(_pool.FindMessageTypeByName("autoscaler.Label"))
