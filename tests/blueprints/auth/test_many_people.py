"""Many people at once: no answer is somebody else's."""

from tests.blueprints.auth.support import at_once
from tests.clients import Program
from tests.people import PASSWORD

PEOPLE = [f"person{number}@example.com" for number in range(4)]


def test_no_answer_crosses_over(people):
    programs = [people.verified(email) for email in PEOPLE]
    browsers = [people.browser(email) for email in PEOPLE]

    def look(number):
        seen = []
        for _ in range(15):
            if number < len(PEOPLE):
                answer = programs[number].get("/auth/session")
                seen.append(answer.data["user"]["email"])
            else:
                page = browsers[number - len(PEOPLE)].get("/auth/account").text
                seen += [email for email in PEOPLE if email in page]
        return set(seen)

    assert at_once(2 * len(PEOPLE), look) == [{email} for email in PEOPLE * 2]


def test_everyone_signs_in_as_themselves(app, people):
    for email in PEOPLE:
        people.verified(email)

    def sign_in(number):
        program = Program(app)
        for _ in range(3):
            answer = program.submit("/auth/sign-in", email=PEOPLE[number], password=PASSWORD)
            if answer.status == 503:  # the lane is full
                continue
            assert answer.data["user"]["email"] == PEOPLE[number]
            assert program.get("/auth/session").data["user"]["email"] == PEOPLE[number]
        return PEOPLE[number]

    assert at_once(len(PEOPLE), sign_in) == PEOPLE
