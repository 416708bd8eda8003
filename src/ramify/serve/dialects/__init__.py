"""Interfaces of other software, which can use the service without a change: each has its routes and its forms."""
