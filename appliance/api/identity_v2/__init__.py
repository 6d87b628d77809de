"""Identity API v2.0, as Keystone spoke it until 2018."""
