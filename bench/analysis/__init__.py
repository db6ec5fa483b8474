"""From run records to values that decide something. Nothing here touches Redis or prints."""
