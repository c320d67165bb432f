"""The simulated Uphance: logins, organisations, products, customers, sales orders, pick tickets.

https://help.uphance.com/en/articles/2532044-uphance-api-for-developers. Bodies that the vendor never published are
taken as Upbridge guesses them; the point here is that nothing else is sent.
"""
