"""From a message of the broker to a durable journal entry and an acknowledgement, and nothing more."""
