"""Takes a table of a running offhook's database away: python take_away.py DATABASE TABLE"""

import sqlite3
import sys

database, table = sys.argv[1:]
with sqlite3.connect(database) as connection:
    connection.execute(f"ALTER TABLE {table} RENAME TO {table}_taken_away")
