"""The Locust integration, in processes of its own: importing Locust patches the one that does."""
