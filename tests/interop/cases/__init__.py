"""The cases beside the table, each with the servers it needs."""

from cases import content, link, outage, policy, pressure, proof, refusal, terms, vanish, volume

CASES = [case for module in (proof, refusal, policy, terms, content, volume, pressure, outage, link, vanish) for case in module.CASES]
