"""The Django app of django_orm.py."""
