"""Who may do what: the check language of policies, and the rules under their upstream names."""
