"""The cases beside the table, each with the servers it needs."""

from cases import acks, clock, content, letters, link, newcomer, outage, policy, pressure, proof, refusal, terms, trace, vanish, volume

MODULES = (proof, letters, refusal, policy, terms, content, volume, pressure, outage, vanish, clock, link, newcomer, acks, trace)
CASES = [case for module in MODULES for case in module.CASES]
