"""The cases beside the table, each with the servers it needs."""

from cases import content, link, outage, policy, pressure, proof, refusal, volume

CASES = [case for module in (proof, refusal, policy, content, volume, pressure, outage, link) for case in module.CASES]
