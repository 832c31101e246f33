"""The gateway owns the front door: identity, policy, routing, webhooks, the portal.

Says `git-push`; hears every topic for its live stream. It keeps nothing of the domain:
its own database holds webhook deliveries and readers' settings.
"""

#: What the command line may use.
__all__ = ["configuration"]
