"""One file per page or small group of pages; each exports `router`."""
