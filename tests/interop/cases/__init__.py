"""The cases beside the table, each with the servers it needs."""

from cases import content, link, outage, proof, refusal, volume

CASES = [case for module in (proof, refusal, content, volume, outage, link) for case in module.CASES]
