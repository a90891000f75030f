"""The page: chat, documents, models and the workflow of requests, beside the doors and in the same process."""
