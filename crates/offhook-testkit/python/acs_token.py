"""Judges the tokens of the fake Communication Services as an application would, with the library that the vendor's
samples use.

    acs_token.py OPENID_CONFIGURATION_URL AUDIENCE     tokens on standard input, one a line

Prints for each token `good`, or what is wrong with it.
"""

import json
import sys
import urllib.request

import jwt


def main():
    configuration_url, audience = sys.argv[1:]
    with urllib.request.urlopen(configuration_url) as answer:
        configuration = json.load(answer)
    keys = jwt.PyJWKClient(configuration["jwks_uri"])
    for token in sys.stdin.read().split():
        try:
            key = keys.get_signing_key_from_jwt(token)
            jwt.decode(token, key.key, algorithms=["RS256"], audience=audience, issuer=configuration["issuer"])
            print("good")
        except jwt.PyJWTError as error:
            print(type(error).__name__)


if __name__ == "__main__":
    main()
