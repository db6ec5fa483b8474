"""What the protobuf compiler made of the ``.proto`` files here. Not edited by hand."""
