"""The decision, pure: gates, rules, points and strategies over one frozen view. Begin with core/plan.py."""
