"""Series: numbers over time, in SQLite or InfluxDB, and their five-minute and hourly rollups.

The journal is the truth; everything here can be emptied and computed again from it.
"""
