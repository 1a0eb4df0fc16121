"""The MQTT broker: ours or somebody else's, its accounts, and how an agent gets one.

Promise: whatever happens to the broker's own folder, every machine that the ledger knows can connect
again with the secret it has, and nobody else can. The ledger is the truth, the broker a copy of it.
"""
