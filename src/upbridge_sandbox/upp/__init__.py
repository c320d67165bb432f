"""The simulated Upp.ai: token, products, orders, cost per acquisition. https://upp.ai/client-onboarding/"""
