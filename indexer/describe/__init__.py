"""Vision models describe memes at OpenAI-compatible endpoints."""
