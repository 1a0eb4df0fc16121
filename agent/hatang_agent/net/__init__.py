"""Raw-socket engines shared by agent and hub. Standard library only."""
