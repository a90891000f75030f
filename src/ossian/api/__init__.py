"""The front doors: each turns its wire format into a request and writes events back out."""
