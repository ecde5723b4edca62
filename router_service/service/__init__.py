"""The story of one request: admit, plan, execute, record. Begin with router.py."""
