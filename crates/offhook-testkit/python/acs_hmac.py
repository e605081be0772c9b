"""Signs requests with the policy of the vendor's own client.

    acs_hmac.py ACCESS_KEY     requests on standard input, one JSON object a line: method, host, path_and_query, date, body

Prints for each the hash of its body and its `Authorization`, with a tab between.
"""

import json
import sys

from azure.communication.callautomation._shared import policy
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.transport import HttpRequest


def signed(key, wanted):
    policy.get_current_utc_time = lambda: wanted["date"]
    base = "https://" + wanted["host"]
    request = HttpRequest(wanted["method"], base + wanted["path_and_query"])
    # As the client has it: text, or nothing at all.
    request.data = wanted["body"] or None
    policy.HMACCredentialsPolicy(base, AzureKeyCredential(key))._sign_request(
        PipelineRequest(request, PipelineContext(None))
    )
    return request.headers["x-ms-content-sha256"], request.headers["Authorization"]


def main():
    (key,) = sys.argv[1:]
    for line in sys.stdin:
        print("\t".join(signed(key, json.loads(line))))


if __name__ == "__main__":
    main()
