"""Follows a call with an EventSource that behaves as the HTML standard says: it reconnects whenever the stream ends,
with the id of the last event, and stops only at an answer that is no stream.

Arguments: the address of the stream, the API key. Prints the name of each event, then the status that ended it.
"""

import sys
from datetime import timedelta

from requests_sse import EventSource, InvalidStatusCodeError


def main():
    url, key = sys.argv[1:]
    options = {"headers": {"X-Api-Key": key}, "timeout": 30, "reconnection_time": timedelta(milliseconds=10)}
    try:
        with EventSource(url, **options) as source:
            for event in source:
                print(event.type)
    except InvalidStatusCodeError as error:
        print(error.status_code)


if __name__ == "__main__":
    main()
