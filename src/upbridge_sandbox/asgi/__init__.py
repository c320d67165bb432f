"""What every simulated system is made of: Starlette, and around it the little that a vendor does not have.

`call.py` is the request with what the call log wants to know of it, `routing.py` the operations of an API,
`middleware.py` counts calls and makes them fail.
"""
