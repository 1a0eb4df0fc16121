"""The message shared by agent and collector: shapes, bytes and topics. Standard library only."""
