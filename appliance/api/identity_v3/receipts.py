"""The answer to an authentication that was right but not enough: a receipt, and what is still to be shown."""

from appliance.api.exchange import Reply
from appliance.identity.receipts import MethodsMissing
from appliance.identity.service import Identity
from appliance.values import micros_text

HEADER = "Openstack-Auth-Receipt"


def receipt_reply(identity: Identity, missing: MethodsMissing) -> Reply:
    """401 with the receipt."""
    receipt = missing.receipt
    user = identity.users.get(receipt.user_id)
    domain = identity.domains.get(user["domain_id"])
    body = {
        "receipt": {
            "methods": list(receipt.methods),
            "user": {
                "id": user["id"],
                "name": user["name"],
                "domain": {"id": domain["id"], "name": domain["name"]},
            },
            "expires_at": micros_text(receipt.expires_at),
            "issued_at": micros_text(receipt.issued_at),
        },
        "required_auth_methods": missing.required,
    }
    return Reply(401, body, [(HEADER, receipt.text)])
