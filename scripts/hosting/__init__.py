"""What `scripts/picture_host.py` is made of: requests in, answers out, pictures, misbehaviour."""
