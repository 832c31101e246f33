"""The gateway authenticates and authorizes requests, and forwards them to services.

It publishes `git-push` and consumes every topic for its live stream. It owns no domain
data: its database contains webhook deliveries, ended sessions and settings of people.
"""

#: What the command line may use.
__all__ = ["configuration"]
