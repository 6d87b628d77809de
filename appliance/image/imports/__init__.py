"""Images whose bytes the appliance fetches or takes from staging, and the tasks that do it."""
