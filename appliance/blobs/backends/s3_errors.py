"""What obstore says when something goes wrong, in a few words: its own are for developers, and long.

It has types for a few kinds of errors; all else is in the text, where Rust writes out the chain of causes.
"""

import re

_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
_KIND = re.compile(r"kind: (Timeout|Connect|Interrupted)\b")
_KINDS = {"Timeout": "no answer in time", "Connect": "no connection", "Interrupted": "the connection broke"}
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_CERTIFICATES = {
    "CaUsedAsEndEntity": "its certificate is an authority's own, and so can't be a server's",
    "Expired": "its certificate has expired",
    "ExpiredContext": "its certificate has expired",
    "NotValidForName": "its certificate is for another name",
    "NotValidForNameContext": "its certificate is for another name",
    "UnknownIssuer": "nobody that this machine trusts vouches for its certificate: see the option ca_file",
}
_NO_TLS = "InvalidMessage("

SAID = {
    "NoSuchBucket": "there is no such bucket: make it first",
    "InvalidBucketName": "there is no such bucket: make it first",
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "RequestTimeTooSkewed": "the clock of this machine differs from the store's: set it",
    "AccessDenied": "the credentials don't allow this",
    "PermanentRedirect": "the bucket is in another region: see the option region",
    "AuthorizationHeaderMalformed": "the bucket is in another region: see the option region",
}
"""What the codes of S3 mean for whoever set the store up."""


def code(error: BaseException) -> str:
    """The code of S3's answer, if it has one."""
    found = _CODE.search(str(error))
    return str(found[1] or found[2]) if found else ""


def reason(error: BaseException) -> str:
    """Why the store could not be asked."""
    text = str(error)
    if said := code(error):
        return said
    if found := _CERTIFICATE.search(text):
        return _CERTIFICATES.get(found[1], f"its certificate is not accepted ({found[1]})")
    if _NO_TLS in text:
        return "it does not speak TLS there: write http:// if that is meant"
    if found := _KIND.search(text):
        return _KINDS[found[1]]
    brief = text.partition("Debug source")[0].strip()
    if found := re.search(r"status code: (\d+ [\w ]+)", brief):
        return found[1].strip()
    if found := re.search(r"HTTP error: (.+)", brief, re.DOTALL):
        return " ".join(found[1].split())[:200]
    return _first_line(error)[:200]


def why_not(error: BaseException) -> str:
    """Why the library can't be meant to work with these options."""
    if "No CA certificates" in str(error):
        return (
            "this machine has no certificates of authorities to check the store's with: install ca-certificates, or "
            "name a file with the option ca_file"
        )
    if "InvalidCertificate" in str(error):
        return "what the file of the option ca_file has in PEM is no certificate"
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
