"""The interop lab: real servers, a real name server and a real gateway around one daemon."""
