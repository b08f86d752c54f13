"""What is asked of the system: files written whole, private folders, processes, telemetry, what is installed."""
