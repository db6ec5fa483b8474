"""Whether what lies in a server's queues follows their layout: rules, without any I/O."""
