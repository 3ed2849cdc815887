"""The process that keeps all logs of one account."""
