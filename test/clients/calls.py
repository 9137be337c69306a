"""Calls the Python API of a real client for a test.

The environment says which one: FIRN_CALLS is a JSON object with `client` (freezer, trove or qinling), how it
authenticates (`token` and `endpoint`, or the OS_* variables of Keystone) and what it is made with. Then each line of
standard input is one call, {"call": "jobs.create", "args": [...], "named": {...}}, and each line of standard output what
came of it: {"value": ...} or {"error": {"type", "status", "message"}}.
"""

import json
import os
import sys


def session_of(how):
    from keystoneauth1 import session, token_endpoint
    from keystoneauth1.identity import v3

    if "token" in how:
        return session.Session(auth=token_endpoint.Token(how["endpoint"], how["token"]))
    env = os.environ
    return session.Session(
        auth=v3.Password(
            auth_url=env["OS_AUTH_URL"],
            username=env["OS_USERNAME"],
            password=env["OS_PASSWORD"],
            user_domain_id=env["OS_USER_DOMAIN_ID"],
            project_name=env["OS_PROJECT_NAME"],
            project_domain_id=env["OS_PROJECT_DOMAIN_ID"],
        )
    )


def freezer(how):
    from freezerclient import client

    more = {"endpoint": how["endpoint"]} if "endpoint" in how else {}
    return client.Client(how["version"], session=session_of(how), project_id=how.get("project"), **more)


def trove(how):
    from troveclient.v1 import client

    return client.Client(session=session_of(how))


def qinling(how):
    from qinlingclient.v1 import client

    # The client has two ways to speak HTTP: with a token of its own, and through keystoneauth.
    if "token" in how:
        return client.Client(how["endpoint"], token=how["token"])
    return client.Client(how.get("endpoint"), session=session_of(how), service_type="function-engine")


def plain(value):
    """What a client gave, as JSON can say it: its resources by their fields, a page with the marker of the next one."""
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return items if not hasattr(value, "next") else {"items": items, "next": value.next}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return {"status": getattr(value, "status_code", None), "text": getattr(value, "text", repr(value))}


def answer_of(client, request):
    target = client
    for name in request["call"].split("."):
        target = getattr(target, name)
    try:
        value = target if not callable(target) else target(*request["args"], **request["named"])
        return {"value": plain(value)}
    except Exception as error:
        status = next((getattr(error, it) for it in ("status_code", "http_status", "code") if hasattr(error, it)), None)
        return {"error": {"type": type(error).__name__, "status": status, "message": str(error)}}


def main():
    # What a client prints must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    how = json.loads(os.environ["FIRN_CALLS"])
    client = {"freezer": freezer, "trove": trove, "qinling": qinling}[how["client"]](how)
    for line in sys.stdin:
        print(json.dumps(answer_of(client, json.loads(line))), file=answers, flush=True)


main()
