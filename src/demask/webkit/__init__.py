"""What our two servers share: who may ask, how much and how slowly, and how an answer or an error looks."""
