"""gpt-oss's own language: `render` a request into a prompt, `parse` an answer into events. Pure."""
