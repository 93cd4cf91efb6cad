# The daemon as an image. BASE is any Debian with python3, python3-venv and ca-certificates; BUILDER is the same with
# whatever pip needs where it cannot ask the public index (a pip.conf, wheels). Nothing of it is in the image but the
# installed daemon.
ARG BASE=python:3.11-slim-bookworm
ARG BUILDER=${BASE}

FROM ${BUILDER} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY autoscaler ./autoscaler
RUN python3 -m venv /opt/autoscaler \
 && /opt/autoscaler/bin/pip install --no-cache-dir --disable-pip-version-check '.[all]' \
 && /opt/autoscaler/bin/pip uninstall -y --quiet pip setuptools \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/autoscaler

FROM ${BASE}
# The data folder is below HOME unless the settings say otherwise; mount a volume there to keep memory and history.
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/autoscaler
ENV HOME=/var/lib/autoscaler
COPY --from=build /opt/autoscaler /opt/autoscaler
ENV PATH=/opt/autoscaler/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["autoscaler"]
CMD ["run"]
