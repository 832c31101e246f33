"""The suites: one folder a service, plus contracts, kit, journeys, faults, bench."""
