"""What services share: `contracts` is a promise, `kit` is plumbing."""
