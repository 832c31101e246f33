"""How runs are kept (Mongo), and the adapters of what else the scaffolder needs."""
