"""From records to decisions."""
