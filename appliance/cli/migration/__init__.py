"""Migration: images and metadata definitions of another Glance, brought into a running appliance."""
