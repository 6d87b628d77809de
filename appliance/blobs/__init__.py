"""Layer 1: bytes. A content-addressed, deduplicating, compressing store with no SQL, no HTTP and no OpenStack word."""
