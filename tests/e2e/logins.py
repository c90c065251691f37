"""Users with their passwords' hashes, of the least cost, and requests that log in."""

import base64

from web import Answer, answer

PASSWORD, OTHER = "wonder:land ü", "looking glass"
HASHES = {
    PASSWORD: "$2y$04$VI1k8rUqO./UOkyj/WtHEuPeVZTvDxsOCxQ8QslZRkZH2hbOmsY3y",
    OTHER: "$2y$04$tumKpOLlpNy6PTOnbI86d.YjUS5sbTcCJYD.I0W3zLALQKLSg.ZVm",
}
USER = "alice"


def users(password: str = PASSWORD) -> dict[str, dict[str, str]]:
    """The section of a web configuration with the one user who has this password."""
    return {"basic_auth_users": {USER: HASHES[password]}}


def basic(password: str, user: str = USER) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def log_in(url: str, password: str = PASSWORD, user: str = USER, method: str = "GET") -> Answer:
    return answer(url, method, Authorization=basic(password, user))
