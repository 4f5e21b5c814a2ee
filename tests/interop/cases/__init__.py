"""The cases beside the table, each with the servers it needs."""

from cases import content, link, outage, policy, pressure, proof, refusal, terms, volume

CASES = [case for module in (proof, refusal, policy, terms, content, volume, pressure, outage, link) for case in module.CASES]
