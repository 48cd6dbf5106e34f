"""docs/api.md says what the docstrings say."""

from .api_page import PAGE, public_packages, rendered_page


def test_the_page_is_what_the_docstrings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == rendered_page()


def test_every_public_name_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for package in public_packages():
        assert f"## {package.__name__}\n" in text
        for name in package.__all__:
            assert f"`{name}" in text, name
