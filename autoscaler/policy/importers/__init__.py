"""Manifests of other autoscalers → policies, and back, each with a report of what is equal, different and not carried.

`manifest` objects with their places · `autoscaling` and `scaledobject` their shapes as structs · `behavior` `queries`
`windows` `triggers` `adapter` parts of them · `hpa` `keda` manifest → policy · `export` policy → manifest · `report`
what became of each key · `text` policies as commented YAML.
"""
